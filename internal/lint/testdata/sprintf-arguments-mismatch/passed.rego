allow if sprintf("%[1]s%[1]s", ["a"]) == input.token.id

# ---

allow if sprintf("%d%%", [input.token.age]) == "1%"
