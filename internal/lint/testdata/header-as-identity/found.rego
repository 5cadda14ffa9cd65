user := input.request.headers["x-user-id"][0]

allow if data.users[user].admin
