allow if startswith(input.request.path, "orders/")

# ---

allow if input.request.path in {"/a", "/orders/{id}"}

# ---

allow if "/orders/:id/items" == input.request.path

# ---

allow if input.request.segments[0] == "/orders"

# ---

allow if "orders/archive" in input.request.segments

# ---

allow if {
	some segment in input.request.segments
	segment == "a/b"
}

# ---

allow if input.request.host == "api.example:443"

# ---

allow if "orders:read orders:write" in input.token.scopes
