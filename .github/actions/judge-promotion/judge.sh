#!/usr/bin/env bash
# Judges a promotion without any key: is MODE allowed in RING, is REQUEST one for RING, do
# the package and everything that the request stands on verify, do its approvals count?
# Who executes it judges all of that again, and whether he may.
#
# Mode soft-fail turns the last two, exit codes 3 to 6, into warnings. It never softens the
# first two: the rules of an environment are those of RING, and a request for another ring
# would be executed under the wrong ones.
set -euo pipefail

refuse() {
  echo "judge-promotion: error: $1" >&2
  exit "$2"
}

case $MODE in
  fail-closed) ;;
  soft-fail)
    case " $SOFT_FAIL_RINGS " in
      *" $RING "*) ;;
      *) refuse "mode soft-fail is not allowed in ring '$RING': run it fail-closed" 4 ;;
    esac
    ;;
  *) refuse "mode '$MODE': expected fail-closed or soft-fail" 2 ;;
esac
[[ $RING =~ ^[A-Za-z0-9][A-Za-z0-9._+-]*$ ]] || refuse "'$RING' is no name of a ring" 2
[[ $REQUEST =~ ^sha256:[0-9a-f]{64}$ ]] || refuse "'$REQUEST' is no digest sha256:…" 2
[[ $PACKAGE_RESULT =~ ^(pass|fail)$ ]] || refuse "nobody verified the package" 2
[ -n "$PIN" ] || refuse "there is no pin" 2

shown=$(rollproof approval show "$REQUEST" --sqlite "$STORE" --pin "$PIN" --json)
asked=$(jq -er .request.targetRing <<< "$shown")
state=$(jq -er .request.state <<< "$shown")
[ "$asked" = "$RING" ] || refuse "the request is for ring $asked, not for $RING" 4

approved() {
  echo "the request is $state"
  case $state in
    approved) ;;
    executed | superseded) return 6 ;;
    *) return 5 ;;
  esac
}

result=$PACKAGE_RESULT
softly() {
  local code=0
  "$@" || code=$?
  [ "$code" -ne 0 ] || return 0
  case $MODE/$code in
    soft-fail/[3-6]) echo "::warning title=rollproof::the promotion was refused (exit code $code); mode soft-fail goes on" ;;
    *) exit "$code" ;;
  esac
  result=fail
}
softly rollproof release verify-promotion "$REQUEST" --sqlite "$STORE" --pin "$PIN" --package "$PACKAGE"
softly approved
echo "result=$result" >> "${GITHUB_OUTPUT:-/dev/null}"
