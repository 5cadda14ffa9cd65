names := {"a", "b"}

allow if names
