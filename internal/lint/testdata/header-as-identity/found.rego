user := input.request.headers["x-user-id"][0]

allow if data.users[user].admin

# ---

allow if {
	some role in input.request.headers["x-role"]
	role == "admin"
}

# ---

allow if input.request.headers["x-forwarded-for"] == ["10.0.0.1"]
