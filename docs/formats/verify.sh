#!/usr/bin/env bash
# Verifies a package directory without rollproof: bash, coreutils, jq and openssl 3.
#
#   verify.sh DIR release.pub
#
# DIR is the package, release.pub the Ed25519 public key (PEM) of who made it, received
# on another way. Exit code 0: the package is whole and signed. 3: it is not. It does not
# look into the binaries; "rollproof release verify-package" does.
set -uo pipefail
export LC_ALL=C
package=$1 key=$2
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
closing=release-evidence.sigstore.json
manifest=$package/release-evidence.json

bad() { echo "FAIL $*"; exit 3; }
sum() { sha256sum < "$1" | cut -d' ' -f1; }

# The key's OpenSSH fingerprint: sha256 over its SSH wire format.
openssl pkey -pubin -in "$key" -outform DER 2>/dev/null | tail -c 32 > "$tmp/raw"
[ "$(wc -c < "$tmp/raw")" = 32 ] || bad "$key is no Ed25519 public key"
{ printf '\0\0\0\013ssh-ed25519\0\0\0\040'; cat "$tmp/raw"; } > "$tmp/blob"
keyid=SHA256:$(openssl dgst -sha256 -binary "$tmp/blob" | openssl base64 -A | tr -d =)

# exact FILE: one JSON object, indented by two spaces, no duplicate keys.
exact() { jq --indent 2 . "$1" 2>/dev/null | cmp -s - "$1" || bad "$1: not in its exact encoding"; }

# payload BUNDLE TYPE: verifies the bundle and writes its statement to $tmp/payload.
payload() {
  local f=$package/$1 type
  [ -f "$f" ] || bad "$1: missing"
  jq -ce . "$f" 2>/dev/null | tr -d '\n' | cmp -s - "$f" || bad "$1: not in its exact encoding"
  [ "$(jq -r .mediaType "$f")" = application/vnd.dev.sigstore.bundle.v0.3+json ] || bad "$1: media type"
  [ "$(jq '.dsseEnvelope.signatures | length' "$f")" = 1 ] || bad "$1: not one signature"
  [ "$(jq -r '.dsseEnvelope.signatures[0].keyid' "$f")" = "$keyid" ] || bad "$1: signed by another key"
  type=$(jq -r .dsseEnvelope.payloadType "$f")
  [ "$type" = application/vnd.in-toto+json ] || bad "$1: payload type"
  jq -r .dsseEnvelope.payload "$f" | openssl base64 -d -A > "$tmp/payload"
  jq -r '.dsseEnvelope.signatures[0].sig' "$f" | openssl base64 -d -A > "$tmp/sig"
  { printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(wc -c < "$tmp/payload")"; cat "$tmp/payload"; } > "$tmp/pae"
  openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in "$tmp/pae" -sigfile "$tmp/sig" > /dev/null 2>&1 || bad "$1: signature"
  exact "$tmp/payload"
  [ "$(jq -r '._type' "$tmp/payload")" = https://in-toto.io/Statement/v1 ] || bad "$1: statement type"
  [ "$(jq -r .predicateType "$tmp/payload")" = "$2" ] || bad "$1: predicate type"
}
# subjects: the statement's subjects as sha256sum prints them.
subjects() { jq -r '.subject[] | "\(.digest.sha256)  \(.name)"' "$tmp/payload" | sort -k2; }

# 1. Nothing but regular files, none of them in an empty directory.
[ -d "$package" ] || bad "$package is no directory"
[ -z "$(find "$package" ! -type f ! -type d)" ] || bad "links or special files"
[ -z "$(find "$package" -type d -empty)" ] || bad "an empty directory"
(cd "$package" && find . -type f ! -name "$closing" -printf '%P\n' | sort | xargs -d '\n' sha256sum) | sort -k2 > "$tmp/files"

# 2. The closing statement's subjects are exactly the files that are there.
payload "$closing" https://github.com/rollproof/rollproof/schemas/release-evidence/v1
subjects | cmp -s - "$tmp/files" || bad "closing statement: other files than there are"
[ "$(jq -r .predicate.manifest "$tmp/payload")" = "$(sum "$manifest")" ] || bad "closing statement: another manifest"
identity=$(jq -c .predicate.release "$tmp/payload")

# 3. The manifest lists the same files, with sizes and modes; it is no dry run.
exact "$manifest"
[ "$(jq -c .release "$manifest")" = "$identity" ] || bad "manifest: another release"
[ "$(jq -c '[.dryRun, .keyid]' "$manifest")" = "[false,\"$keyid\"]" ] || bad "manifest: a dry run, or another key"
jq -r '.files[] | "\(.sha256)  \(.path)"' "$manifest" | sort -k2 > "$tmp/listed"
grep -v '  release-evidence\.\(json\|md\)$' "$tmp/files" | cmp -s - "$tmp/listed" || bad "manifest: other files than there are"
while IFS=$'\t' read -r path size mode; do
  [ "$(stat -c %s "$package/$path")" = "$size" ] || bad "$path: size"
  if [ -x "$package/$path" ]; then is=0755; else is=0644; fi
  [ "$is" = "$mode" ] || bad "$path: mode"
done < <(jq -r '.files[] | [.path, .size, .mode] | @tsv' "$manifest")

# 4. checksums.txt is exactly layer 0, and its raw signature verifies.
jq -r '.files[] | select(.role | IN("binary","sbom","installers","endpoint-deployment","trust","license","notice","source","archive","attestation")) | "\(.sha256)  \(.path)"' "$manifest" |
  sort -k2 | cmp -s - "$package/checksums.txt" || bad "checksums.txt: not layer 0"
openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in "$package/checksums.txt" -sigfile "$package/checksums.txt.sig" > /dev/null 2>&1 || bad "checksums.txt.sig"

# 5. Each detached signature has its file as its one subject.
while read -r path; do
  payload "$path.sigstore.json" https://sigstore.dev/cosign/sign/v1
  [ "$(subjects)" = "$(sum "$package/$path")  $path" ] || bad "$path.sigstore.json: another subject"
done < <(jq -r '.files[] | select(.role | IN("binary","sbom","installers","endpoint-deployment","checksums","archive")) | .path' "$manifest")

# 6. The provenance's subjects are the binaries, of this commit.
#    A release that was built by something else has a statement over binaries and archives.
origin=$(jq -r '.files[] | select(.role == "release") | .path' "$manifest")
if [ -n "$origin" ]; then
  roles='["binary","archive"]'
  payload "$origin" https://in-toto.io/attestation/release/v0.1
else
  roles='["binary"]'
  payload "$(jq -r '.files[] | select(.role == "provenance") | .path' "$manifest")" https://slsa.dev/provenance/v1
fi
jq -r --argjson roles "$roles" '.files[] | select(.role | IN($roles[])) | "\(.sha256)  \(.path)"' "$manifest" | sort -k2 > "$tmp/binaries"
subjects | cmp -s - "$tmp/binaries" || bad "provenance: other binaries"
[ -n "$origin" ] || [ "$(jq -r .predicate.buildDefinition.externalParameters.source.digest.gitCommit "$tmp/payload")" = "$(jq -r .release.source.gitCommit "$manifest")" ] || bad "provenance: another commit"

# 7. The other documents speak of the same release.
for document in installers.json endpoint-deployment.json; do
  exact "$package/$document"
  [ "$(jq -c .release "$package/$document")" = "$identity" ] || bad "$document: another release"
done
echo "pass $(jq -r '.release | "\(.project) \(.version), commit \(.source.gitCommit)"' "$manifest"), signed by $keyid"
