# world.sh: a real store of a real project, made by the real program with the keys of
# five persons. v1.4.2 went through all three rings; v1.5.0 is in staging, and ready.
set -euo pipefail
quiet() { "$@" > out.txt 2>&1 || { cat out.txt >&2; echo "failed: $*" >&2; exit 1; }; }

quiet rollproof trust quickstart trust --person ada --person grace --person observer --person operator --person verifier
quiet rollproof trust import trust/trust --pin "sha256:$(sha256sum < trust/trust/1.trust.json | cut -c1-64)"
mkdir hello
cat > hello/go.mod <<'MOD'
module example.com/hello

go 1.26
MOD
printf 'package main\n\nfunc main() { println("hello") }\n' > hello/main.go
cat > hello/rollproof.yaml <<'YAML'
name: hello
deployment_targets:
  - {id: hello-linux-amd64, os: linux, arch: amd64}
  - {id: hello-linux-arm64, os: linux, arch: arm64}
policy:
  rings:
    - {name: pilot, soak: 0h}
    - {name: staging, soak: 0h, quorum: 1}
    - {name: production, soak: 0h, quorum: 2, uses: [file, agent, browser], max_browser: 2}
YAML
cd hello
git init -q && git add -A && git commit -q -m one && git tag v1.4.2
quiet rollproof release package --key ../trust/keys/releaser.pem --trust ../trust/trust --target linux/amd64 --target linux/arm64
mv dist/hello-v1.4.2 ../v1
printf 'package main\n\nimport "golang.org/x/mod/semver"\n\nfunc main() { println(semver.Canonical("v1.5")) }\n' > main.go
quiet go get "golang.org/x/mod@$MOD_VERSION" && quiet go mod tidy
rm -f out.txt && git add -A && git commit -q -m two && git tag v1.5.0
quiet rollproof release package --key ../trust/keys/releaser.pem --trust ../trust/trust --target linux/amd64 --target linux/arm64
mv dist/hello-v1.5.0 ../v2
cd ..
mkdir work && cp hello/rollproof.yaml work/ && cd work
keys=../trust/keys

quiet rollproof evidence log init --name example.com/evidence --key $keys/log.pem
quiet rollproof policy sign --key $keys/policy.pem
{ echo id,target; for i in $(seq -w 1 40); do echo "host-0$i.example.com,hello-linux-amd64"; done; for i in $(seq -w 41 52); do echo "host-0$i.example.com,hello-linux-arm64"; done; } > ../hosts.csv
for ring in pilot staging production; do quiet rollproof release population --ring $ring --from ../hosts.csv --key $keys/policy.pem; done

# captured PACKAGE CHANGE RING [EXECUTION]: capture, index, observe, succeed.
captured() {
  quiet rollproof release capture-rollout "$1" --change-record "$2" --ring "$3" ${4:+--execution $4} --key $keys/operator.pem
  id=$(ls .rollproof/rollout | grep "^$2-" | grep -- "-$3-")
  quiet rollproof release verify-rollout ".rollproof/rollout/$id"
  amd=$(sha256sum "$1"/bin/*linux_amd64 | cut -c1-64) arm=$(sha256sum "$1"/bin/*linux_arm64 | cut -c1-64) now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  awk -F, -v amd="$amd" -v arm="$arm" -v now="$now" 'NR==1 {print "id,target,sha256,seen_at"; next} {print $1 "," $2 "," ($2 ~ /amd64/ ? amd : arm) "," now}' ../hosts.csv > ../seen.csv
  quiet rollproof release observe "$id" --from ../seen.csv --key $keys/observer.pem
  quiet rollproof release update-rollout "$id" --status succeeded --key $keys/operator.pem
}
# promoted REASON APPROVER…: ask, approve, execute; execution is the act.
promoted() {
  quiet rollproof release request-rollout-promotion "$id" --reason "$1" --key $keys/requester.pem
  shift
  request=$(rollproof approval list --pending --json | grep -o '"act": "sha256:[^"]*' | head -1 | cut -d: -f3)
  for who in "$@"; do quiet rollproof approval approve "$request" --reason "read the evidence" --key "$keys/approver-$who.pem"; done
  quiet rollproof release execute-rollout-promotion "$request" --key $keys/operator.pem
  execution=$(rollproof evidence search --metadata-kind rollout-promotion-execution --jsonl | grep -o '"act":"sha256:[0-9a-f]*' | head -1 | cut -d: -f3)
}
captured ../v1 CHG-118 pilot
promoted "the pilot went well" grace
captured ../v1 CHG-118 staging "$execution"
promoted "three days in staging without a ticket" grace verifier
captured ../v1 CHG-118 production "$execution"
captured ../v2 CHG-123 pilot
promoted "the pilot went well" verifier
captured ../v2 CHG-123 staging "$execution"
quiet rollproof evidence log checkpoint --key $keys/log.pem
