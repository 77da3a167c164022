# A pilot rollout of $ZIP that went well, and the request for production; prints its digest.
# Runs where the evidence store is, with $KEYS and $PIN.
set -euo pipefail
cat > rules.yaml <<'YAML'
name: hello
policy:
  rings:
    - {name: pilot, soak: 0h}
    - {name: production, quorum: 1}
YAML
printf 'id,target\nhost-001.example.com,hello-linux-amd64\n' > hosts.csv
{
  rollproof trust import "$TRUST" --pin "$PIN"
  rollproof policy sign --config rules.yaml --key "$KEYS/policy.pem"
  rollproof release population --ring pilot --from hosts.csv --config rules.yaml --key "$KEYS/policy.pem"
  rollproof release capture-rollout "$ZIP" --change-record CHG-123 --key "$KEYS/operator.pem"
  rollout=$(ls .rollproof/rollout)
  rollproof release verify-rollout ".rollproof/rollout/$rollout"
  digest=$(unzip -p "$ZIP" 'hello-v1.4.2/bin/hello_v1.4.2_linux_amd64' | sha256sum | cut -c1-64)
  printf 'id,target,sha256,seen_at\nhost-001.example.com,hello-linux-amd64,%s,%s\n' "$digest" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" > inventory.csv
  rollproof release observe "$rollout" --from inventory.csv --key "$KEYS/observer.pem"
  rollproof release update-rollout "$rollout" --status succeeded --key "$KEYS/operator.pem"
  rollproof release request-rollout-promotion "$rollout" --target-ring production --reason "the pilot went well" --key "$KEYS/requester.pem"
} >&2
rollproof approval list --pending --json | jq -er '.requests[0].act'
