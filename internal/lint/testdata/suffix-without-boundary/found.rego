allow if endswith(input.token.subject.username, "example.com")

# ---

allow if strings.any_suffix_match(input.request.host, [".a.example", "b.example"])
