package lint

import data.lint.lib

findings contains lib.finding(
	"header-as-identity", ref.place,
	sprintf("any client can send %s: compare it with the token (input.token.tenant, roles, subject), or decide by the token", [
		ref.path[3],
	]),
) if {
	lib.policy
	some ref in input.refs["input.request"]
	ref.written
	ref.expr >= 0
	ref.path[2] == "headers"
	regex.match(identity_words, ref.path[3])
	not ref.path[3] in data.set.compared
	lib.branch(ref).allows
}

findings contains lib.finding(
	"header-as-identity", ref.place,
	sprintf("any client can send %s: the address of the client is input.request.source_ip", [ref.path[3]]),
) if {
	lib.policy
	some ref in input.refs["input.request"]
	ref.written
	ref.expr >= 0
	ref.path[2] == "headers"
	regex.match(`^((x-)?(original-)?forwarded(-for)?|x-real-ip|(x-)?(true-|cluster-)?client-ip|cf-connecting-ip)$`, ref.path[3])
	lib.branch(ref).allows
}

identity_words := concat("", [
	`(^|-)(tenant|tenant-?id|org|organi[sz]ation|user|user-?id|user-?name|roles?|groups?|scopes?|permissions?|admin|email|account|`,
	`customer|subject|remote-user|client-?id|authenticated|userinfo)$`,
])
