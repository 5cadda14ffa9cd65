allow if strings.any_prefix_match(input.request.path, ["/a/", "/b"])

# ---

allow if {
	path := lower(input.request.path)
	startswith(path, "/a")
}
