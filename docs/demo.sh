#!/usr/bin/env bash
# The whole chain on a clone of this repository: package, verify, capture, observe,
# request, approve by two, execute, search; then tamper, and be refused. Takes throw-away
# keys of five persons. What it made stays in build/demo, or in DEMO_DIR, to be looked at.
set -euo pipefail

repository=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
if [ -z "${DEMO_DIR:-}" ]; then
  DEMO_DIR=$repository/build/demo
  rm -rf "$DEMO_DIR"
fi
mkdir -p "$DEMO_DIR"
work=$(cd "$DEMO_DIR" && pwd)
export XDG_CONFIG_HOME="$work/config" XDG_STATE_HOME="$work/state"

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }
refused() {
  status=0
  expected=$1
  shift
  run "$@" || status=$?
  [ "$status" -eq "$expected" ] || { echo "expected exit code $expected, got $status" >&2; exit 1; }
}

say "a clone of this repository, tagged v0.0.0-demo"
git clone --quiet "$repository" "$work/rollproof"
cd "$work/rollproof"
git -c user.name=Ada -c user.email=ada@example.com tag -a v0.0.0-demo -m "demo"
GOENV=off GOFLAGS= CGO_ENABLED=0 go build -trimpath -o "$work/bin/rollproof" ./cmd/rollproof
PATH="$work/bin:$PATH"
run rollproof --version

say "a trust root: who may sign what; its pin is kept apart from everything that it judges"
run rollproof trust quickstart ../trust --person ada --person grace --person observer --person operator --person verifier
pin=sha256:$(sha256sum < ../trust/trust/1.trust.json | cut -c1-64)
run rollproof trust import ../trust/trust --pin "$pin"
key() { echo "../trust/keys/$1.pem"; }

say "a signed package for two platforms (without --target: six), and its verdict"
run rollproof release package --key "$(key releaser)" --trust ../trust/trust --target linux/amd64 --target windows/amd64
package=dist/rollproof-v0.0.0-demo
run rollproof release verify-package "$package" --pin "$pin"
(cd "$package" && sha256sum --quiet -c checksums.txt && echo "sha256sum agrees")

say "the rules, signed; and which endpoints the pilot ring has"
cat > ../rules.yaml <<'YAML'
name: rollproof
policy:
  rings:
    - {name: pilot, soak: 0h}
    - {name: production, quorum: 2}
YAML
run rollproof policy sign --config ../rules.yaml --key "$(key policy)"
printf 'id,target\nhost-001.example.com,rollproof-linux-amd64\nhost-002.example.com,rollproof-linux-amd64\n' > ../hosts.csv
run rollproof release population --ring pilot --from ../hosts.csv --config ../rules.yaml --key "$(key policy)"
run rollproof evidence log init --name example.com/demo --key "$(key log)"

say "the rollout: captured, verified and indexed, observed, succeeded"
run rollproof release capture-rollout "$package" --change-record CHG-123 --deployment-id rollproof-linux-amd64 --key "$(key operator)"
id=$(ls .rollproof/rollout)
run rollproof release verify-rollout ".rollproof/rollout/$id"
digest=$(sha256sum < "$package/bin/rollproof_v0.0.0-demo_linux_amd64" | cut -c1-64)
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
printf 'id,target,sha256,seen_at\nhost-001.example.com,rollproof-linux-amd64,%s,%s\nhost-002.example.com,rollproof-linux-amd64,%s,%s\n' "$digest" "$now" "$digest" "$now" > ../inventory.csv
run rollproof release observe "$id" --from ../inventory.csv --key "$(key observer)"
run rollproof release update-rollout "$id" --status succeeded --key "$(key operator)"
run rollproof release rollout-status "$id" --require ready

say "the promotion: asked for, approved by two other persons, executed"
run rollproof release request-rollout-promotion "$id" --target-ring production --reason "the pilot went well" --key "$(key requester)"
request=$(ls .rollproof/promotion)
refused 5 rollproof release execute-rollout-promotion "$request" --key "$(key operator)"
refused 5 rollproof approval approve "$request" --reason "my own request" --key "$(key approver-ada)"
run rollproof approval approve "$request" --reason "read it" --key "$(key approver-grace)"
run rollproof approval approve "$request" --reason "read it" --key "$(key approver-verifier)"
run rollproof release execute-rollout-promotion "$request" --key "$(key operator)"
run rollproof release rings

say "what an auditor finds, and takes away"
run rollproof evidence search --metadata-kind rollout-promotion-execution --rollout-status promoted --target-ring production --approval-state approved --promotion-execution-status executed
run rollproof evidence verify --all
run rollproof evidence log checkpoint --key "$(key log)"
run rollproof evidence export --prove-complete --no-blobs --out ../audit.zip --key "$(key auditor)"
run rollproof evidence verify-export ../audit.zip --pin "$pin" --require-complete

say "one byte more in one binary of a copy, with checksums.txt corrected: refused"
cp -r "$package" ../copy
printf x >> ../copy/bin/rollproof_v0.0.0-demo_linux_amd64
(cd ../copy && cut -c67- checksums.txt | xargs sha256sum > ../sums && mv ../sums checksums.txt)
refused 3 rollproof release verify-package ../copy --pin "$pin"

say "the change record edited in the rollout's evidence, with checksums.txt corrected: refused"
cp -r ".rollproof/rollout/$id" ../edited
sed -i s/CHG-123/CHG-124/ ../edited/managed-endpoint-rollout-evidence.json
(cd ../edited && sha256sum managed-endpoint-rollout-evidence.json managed-endpoint-rollout-evidence.json.sigstore.json managed-endpoint-rollout-evidence.md > checksums.txt)
refused 3 rollproof release verify-rollout ../edited --package "$package"
say "refused: the demo is complete"

say "a token, signed by the policy role, for the console on this store"
token=$(rollproof token create --owner observer --scope read --expires 1d --key "$(key policy)")
rm -rf ../copy ../edited
cat <<EOF
cd '$work/rollproof'
XDG_CONFIG_HOME='$work/config' XDG_STATE_HOME='$work/state' ../bin/rollproof serve
then open http://127.0.0.1:8080 and sign in with $token
EOF
