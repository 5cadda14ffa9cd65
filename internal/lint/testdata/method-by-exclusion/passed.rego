writes if not input.request.method in {"GET", "HEAD"}

allow if not writes
