contains_all(x) if x == 1

allow if contains_all(input.token.age)
