decision := {"allow": false} if input.token.stale else := {"allow": true}
