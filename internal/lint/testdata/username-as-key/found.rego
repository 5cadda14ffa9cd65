allow if data.users[input.token.subject.username].admin
