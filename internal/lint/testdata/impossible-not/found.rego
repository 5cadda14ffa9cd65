allow if not {x | some x in input.token.roles; x == "guest"}

list := [1]

allow if not list
