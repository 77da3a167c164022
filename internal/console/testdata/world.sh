# world.sh: a real store of a real project, made by the real program with the keys of
# five persons. v1.4.2 went through all three rings; v1.5.0 is in staging, and ready.
set -euo pipefail
. "$STEPS"
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
  breakglass: [ada, grace, observer, operator, verifier]
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
mkdir store && cp hello/rollproof.yaml store/ && cd store

quiet rollproof evidence log init --name example.com/evidence --key $keys/log.pem
quiet rollproof policy sign --key $keys/policy.pem
{ echo id,target; for i in $(seq -w 1 40); do echo "host-0$i.example.com,hello-linux-amd64"; done; for i in $(seq -w 41 52); do echo "host-0$i.example.com,hello-linux-arm64"; done; } > ../hosts.csv
for ring in pilot staging production; do quiet rollproof release population --ring $ring --from ../hosts.csv --key $keys/policy.pem; done

captured ../v1 CHG-118 pilot
promoted "the pilot went well" grace
captured ../v1 CHG-118 staging "$execution"
promoted "three days in staging without a ticket" grace verifier
captured ../v1 CHG-118 production "$execution"
captured ../v2 CHG-123 pilot
promoted "the pilot went well" verifier
captured ../v2 CHG-123 staging "$execution"
quiet rollproof evidence log checkpoint --key $keys/log.pem
