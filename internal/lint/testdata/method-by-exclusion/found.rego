allow if not input.request.method == "DELETE"

# ---

allow if not input.request.method in {"POST", "PUT"}
