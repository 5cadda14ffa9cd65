allow if {
	some user
	data.grants[user].admin
	user == input.token.client_id
}

# ---

allow if data.grants[_].open

# ---

names contains data.grants[user]

allow if count(names) > 0
