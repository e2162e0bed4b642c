#!/usr/bin/env bash
# Measure how long a fleet of 25 real clusters takes to converge with Crossplane's own
# circuit breaker settings, and with those that Mainstay recommends. It wants 10 GiB of
# memory.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/_output/bin:$PATH
state=_output/breaker
trap 'mainstay demo down --state $state >/dev/null' EXIT

for setting in "--default-circuit-breaker" ""; do
  mainstay demo down --state $state >/dev/null
  # shellcheck disable=SC2086 # An empty setting is none.
  mainstay demo up --hub-only $setting --state $state >/dev/null
  export KUBECONFIG=$PWD/$state/kubeconfig
  kubectl apply -f examples/demo/namespaces.yaml -f examples/demo/providerconfig.yaml >/dev/null
  began=$SECONDS
  kubectl apply -f - >/dev/null <<'Y'
apiVersion: mainstay.dev/v1alpha1
kind: ClusterFleet
metadata: {name: wide, namespace: platform}
spec:
  providerConfigRef: {name: local}
  kubernetesVersion: v1.35.3
  generate: [{prefix: w, regions: [a, b, c, d, e], count: 5}]
  nodePools: [{name: general, class: general, size: 1}]
Y
  opened=no
  until [ "$(kubectl -n platform get clusterfleet wide -o jsonpath='{.status.conditions[?(@.type=="Reached")].status}')" = True ]; do
    kubectl get xclusterfleets,fleetcells -A -o jsonpath='{.items[*].status.conditions[?(@.type=="Responsive")].status}' | grep -q False && opened=yes
    [ $((SECONDS - began)) -lt 1200 ] || { kubectl -n platform get clusterfleet wide; exit 1; }
    sleep 2
  done
  printf '%-45s 25 clusters reached in %4d s, breaker opened: %s\n' "${setting:-recommended settings}" $((SECONDS - began)) $opened
done
