flags[name] if some name in data.names

allow if flags.a

# ---

names := data.names

allow if names
