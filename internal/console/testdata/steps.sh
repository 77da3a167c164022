# steps.sh: what world.sh and the tests do in the directory of the store.
quiet() { "$@" > out.txt 2>&1 || { cat out.txt >&2; echo "failed: $*" >&2; exit 1; }; }
keys=../trust/keys

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
