#!/usr/bin/env bash
# Packages a clone of this repository with a throw-away key, verifies the package,
# tampers with a copy of it, and shows the refusal. Leaves nothing behind.
set -euo pipefail

repository=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

say "a clone of this repository, tagged v0.0.0-demo"
git clone --quiet "$repository" "$work/rollproof"
git -C "$work/rollproof" -c user.name=Ada -c user.email=ada@example.com tag -a v0.0.0-demo -m "demo"
cd "$work/rollproof"
GOENV=off GOFLAGS= CGO_ENABLED=0 go build -trimpath -o "$work/bin/rollproof" ./cmd/rollproof
PATH="$work/bin:$PATH"
run rollproof --version

say "a key, and a signed package for two platforms (without --target: six)"
run rollproof keys generate ../release.pem
run rollproof release package --key ../release.pem --target linux/amd64 --target windows/amd64

package=dist/rollproof-v0.0.0-demo
say "whoever has the public key can check the directory, and the zip"
run rollproof release verify-package "$package" --key ../release.pub
run rollproof release verify-package "$package.zip" --key ../release.pub

say "sha256sum agrees"
(cd "$package" && sha256sum --quiet -c checksums.txt && echo "checksums.txt: OK")

say "one byte more in one binary of a copy, with checksums.txt corrected: refused"
cp -r "$package" ../copy
printf x >> ../copy/bin/rollproof_v0.0.0-demo_linux_amd64
(cd ../copy && cut -c67- checksums.txt | xargs sha256sum > ../sums && mv ../sums checksums.txt)
status=0
run rollproof release verify-package ../copy --key ../release.pub || status=$?
if [ "$status" -ne 3 ]; then
  echo "expected exit code 3, got $status" >&2
  exit 1
fi
say "refused with exit code 3: the demo is complete"
