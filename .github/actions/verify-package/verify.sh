#!/usr/bin/env bash
# Verifies PACKAGE with rollproof-verify. Exit code 3, a package that is refused, becomes
# a warning if MODE is soft-fail. Whatever else went wrong fails in both modes: then
# nobody has looked.
set -euo pipefail

case $MODE in
  fail-closed | soft-fail) ;;
  *)
    echo "verify-package: error: mode '$MODE': expected fail-closed or soft-fail" >&2
    exit 2
    ;;
esac
if [ -z "$PIN" ]; then
  echo "verify-package: error: there is no pin" >&2
  echo "verify-package: hint: set the pin of your trust root, as its owners told it" >&2
  exit 2
fi

arguments=(--pin "$PIN" --min-trust-version "$MIN_TRUST_VERSION")
[ -z "$TRUST" ] || arguments+=(--trust "$TRUST")
code=0
rollproof-verify "${arguments[@]}" -- "$PACKAGE" || code=$?
case $code in
  0) result=pass ;;
  3) result=fail ;;
  *) exit "$code" ;;
esac
verdict=${RUNNER_TEMP:-/tmp}/verdict.json
rollproof-verify "${arguments[@]}" --json -- "$PACKAGE" > "$verdict" || true
{
  echo "result=$result"
  echo "verdict=$verdict"
} >> "${GITHUB_OUTPUT:-/dev/null}"
if [ "$result/$MODE" = fail/soft-fail ]; then
  echo "::warning title=rollproof::the package was refused; mode soft-fail goes on"
  exit 0
fi
exit "$code"
