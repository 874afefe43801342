# What ./run and ./test install, on Debian and its kin.  To be sourced from the checkout's root.

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }

# Debian packages whose programs are missing: name them as program:package.
install_packages() {
  local missing=()
  for pair in "$@"; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  [ ${#missing[@]} = 0 ] && return
  if ! command -v apt-get >/dev/null; then
    echo "Please install: ${missing[*]} (this is no Debian, so that is not done for you)" >&2
    return 1
  fi
  say "Installing ${missing[*]}"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

install_node_tools() {
  install_packages runc:runc conmon:conmon nft:nftables ip:iproute2 busybox:busybox-static skopeo:skopeo
}

# The program and what it needs, in .venv; again only when pyproject.toml or the lock has changed.
install_wherry() {
  local wanted extra="${1:-}"
  wanted="$(cat pyproject.toml requirements.lock | sha256sum | cut -c1-16) $extra"
  if [ ! -x .venv/bin/wherry ] || [ "$(cat .venv/wherry-installed 2>/dev/null)" != "$wanted" ]; then
    say "Installing wherry into .venv"
    [ -x .venv/bin/python ] || python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check -c requirements.lock -e ".${extra:+[$extra]}"
    echo "$wanted" > .venv/wherry-installed
  fi
}
