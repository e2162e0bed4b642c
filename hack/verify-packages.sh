#!/usr/bin/env bash
# Prove that the official Crossplane command accepts our packages: it extracts each,
# pushes each to a registry, builds the Configuration from the same files, and
# validates every example against the schemas in them.
set -euo pipefail
cli=$1 packages=$2
cd "$(dirname "$0")/.."
mainstay=$(dirname "$cli")/mainstay
work=$(mktemp -d)
trap 'kill "${registry:-}" 2>/dev/null || true; rm -rf "$work"' EXIT

port=$(( 20000 + RANDOM % 20000 ))
"$mainstay" registry --dir "$work/registry" --address "127.0.0.1:$port" >"$work/registry.log" 2>&1 &
registry=$!
for _ in $(seq 50); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.1; done

echo "extract: every package holds one package of the kind that it says"
for file in "$packages"/*.xpkg; do
  "$cli" xpkg extract --from-xpkg "$file" -o "$work/package.gz" >/dev/null
  printf '  %-60s %s\n' "$(basename "$file")" "$(gunzip -c "$work/package.gz" | grep -m1 '^kind:')"
done

echo "push: every package goes to a registry, both architectures under one tag"
for name in mainstay mainstay-provider mainstay-function-cluster-fleet mainstay-function-fleet-cell mainstay-function-product-application; do
  files=$(ls "$packages/$name"-v[0-9]*.xpkg | paste -sd,)
  "$cli" xpkg push -f "$files" "127.0.0.1:$port/mainstay/$name:v0.0.1" >/dev/null
  printf '  %s\n' "$name"
done

echo "build: the official command builds the Configuration from what was staged"
"$mainstay" package stage --output "$work/staged" >/dev/null
"$cli" xpkg build --package-root "$work/staged" --examples-root "$work/staged/examples" -o "$work/rebuilt.xpkg" >/dev/null
"$cli" xpkg extract --from-xpkg "$work/rebuilt.xpkg" -o "$work/rebuilt.gz" >/dev/null
"$cli" xpkg extract --from-xpkg "$(ls "$packages"/mainstay-v[0-9]*.xpkg)" -o "$work/ours.gz" >/dev/null
cmp <(gunzip -c "$work/rebuilt.gz") <(gunzip -c "$work/ours.gz")
echo "  its content is ours, byte for byte"

echo "validate: every example holds against the schemas"
mkdir -p "$work/schemas"
cp apis/*/definition.yaml package/provider/crds/*.yaml "$work/schemas/" 2>/dev/null || true
for d in apis/*/definition.yaml; do cp "$d" "$work/schemas/$(basename "$(dirname "$d")").yaml"; done
rm -f "$work/schemas/definition.yaml"
for manifest in $(git ls-files 'examples/*.yaml' 'examples/**/*.yaml'); do
  "$cli" resource validate "$work/schemas" "$manifest" --crossplane-image= --cache-dir "$work/cache" >"$work/out" 2>&1 \
    || { cat "$work/out"; exit 1; }
  printf '  %-45s %s\n' "$manifest" "$(tail -1 "$work/out")"
done
