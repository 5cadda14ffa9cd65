allow if time.now_ns() < input.token.expires_at * 1000000000

# ---

allow if round(time.now_ns() / 1000000000) < input.token.expires_at
