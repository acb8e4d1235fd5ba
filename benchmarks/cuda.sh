#!/usr/bin/env bash
# All that a GPU is asked, within fifteen minutes: what it can do at all, whether kernels, graphs
# and chains are right there, and the races. A part that is not done in its seconds ends, keeps the
# rows that it has, and the next begins.
#
#   bash benchmarks/cuda.sh [PART …]          all parts, or some
#   DEVICE=cpu bash benchmarks/cuda.sh        small sizes, nothing kept: does it run?
set -uo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH=$PWD

device=${DEVICE:-cuda} out=benchmarks/results
races=(--device "$device") networks=(--networks 8gf 256gf)
if [ "$device" = cpu ]; then
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
  races+=(--quick) networks=()
fi

begin() { # PART
  case $1 in
    floors | nt_xent | assignments) race 40 "$1" ;;
    langevin | posteriors) race 170 "$1" ;;
    hmc) race 80 "$1" ;;
    # Kernels without a mark run on the GPU as well.
    tests) timeout 150 python -m pytest -n 0 tests/kernels tests/samplers/test_cuda_ways.py ;;
    seer)
      timeout 130 python benchmarks/seer.py --part speed --device "$device" "${networks[@]}" \
        --out "$out"
      ;;
    *)
      echo "there is no part $1" >&2
      return 2
      ;;
  esac
}

race() { # SECONDS TOPIC
  timeout "$1" python benchmarks/run.py "${races[@]}" --topic "$2" --out "$out/$2_$device.json"
}

[ $# -gt 0 ] || set -- floors tests langevin nt_xent hmc assignments posteriors seer
undone=()
for part in "$@"; do
  echo "== $part, after $SECONDS s"
  begin "$part" || undone+=("$part")
done
echo "== done after $SECONDS s; not done: ${undone[*]:-none}"
[ ${#undone[@]} -eq 0 ]
