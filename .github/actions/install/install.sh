#!/usr/bin/env bash
# Fetches PROGRAM of the release VERSION from RELEASES, and puts it on PATH if its sha256
# is SHA256. The pin decides, not the server: nothing runs before it is compared.
set -euo pipefail

refuse() {
  echo "install: error: $1" >&2
  echo "install: hint: $2" >&2
  exit "${3:-2}"
}

case $PROGRAM in
  rollproof | rollproof-verify) ;;
  *) refuse "there is no program '$PROGRAM'" "give rollproof or rollproof-verify" ;;
esac
[[ $VERSION =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || refuse "'$VERSION' is no version" "give a release such as v1.4.2"
[[ $SHA256 =~ ^[0-9a-f]{64}$ ]] || refuse "'$SHA256' is no sha256" "give the 64 hex digits that the release's checksums.txt has for $PROGRAM"
case $(uname -s)/$(uname -m) in
  Linux/x86_64) platform=linux_amd64 ;;
  Linux/aarch64) platform=linux_arm64 ;;
  *) refuse "this action knows no $(uname -s) on $(uname -m)" "run it on Linux" ;;
esac

directory=${RUNNER_TEMP:-$(mktemp -d)}/rollproof-bin
mkdir -p "$directory"
file=$directory/$PROGRAM
curl -fsSL --retry 3 -o "$file.new" "$RELEASES/$VERSION/${PROGRAM}_${VERSION}_$platform"
actual=$(sha256sum < "$file.new" | cut -c1-64)
if [ "$actual" != "$SHA256" ]; then
  rm -f "$file.new"
  refuse "$PROGRAM $VERSION for $platform: expected sha256 $SHA256, got $actual" "compare the pin with the release's checksums.txt; do not change it to fit" 3
fi
chmod 0755 "$file.new"
mv "$file.new" "$file"
echo "$directory" >> "${GITHUB_PATH:-/dev/null}"
echo "$PROGRAM $VERSION, sha256 $actual"
