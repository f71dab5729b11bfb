# Sourced by the scripts here: starts the product as `cargo run -- --memory` does, without any key of the caller's, and
# sets `address`. Wants `root` and `work`, and fills `children`. The product's limits of requests would only end a check
# early: they are tested elsewhere.
bin="${CITIPEN_BIN:-$root/target/debug/citipen}"
[[ "$bin" = /* ]] || bin="$PWD/$bin"
if [[ ! -x "$bin" ]]; then
  (cd "$root" && cargo build --package citipen)
fi

(cd "$work" && exec env -i PATH="$PATH" HOME="$work" \
  USER_REQUESTS_PER_MINUTE_MAX=1000000 NETWORK_REQUESTS_PER_MINUTE_MAX=1000000 RUNS_PER_MINUTE_MAX=1000000 \
  "$bin" --memory --port 0 --zero-latency) >"$work/product.log" 2>&1 &
children+=($!)
for _ in $(seq 300); do
  address=$(sed -n 's/.* running at \(http[^ ]*\).*/\1/p' "$work/product.log")
  [[ -n "$address" ]] && break
  sleep 0.1
done
[[ -n "$address" ]] || { cat "$work/product.log"; exit 1; }
