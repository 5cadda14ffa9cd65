# METADATA
# title: Searches
# description: |
#   The candidates of searches. The sidecar evaluates each and returns those that are permitted: a candidate too many
#   costs time, and gives no access.
package todo.search

# METADATA
# title: Users
# entrypoint: true
default subjects := {"allow": false}

subjects := {"allow": true, "context": {"candidates": [{"type": "user", "id": id} | some id, _ in data.todo.users]}} if {
	input.subject.type == "user"
}

# METADATA
# title: Items
# entrypoint: true
default resources := {"allow": false}

resources := {"allow": true, "context": {"candidates": [{"type": "todo", "id": id} | some id, _ in data.todo.items]}} if {
	input.resource.type == "todo"
}

# METADATA
# title: Actions
# entrypoint: true
default actions := {"allow": false}

actions := {"allow": true, "context": {"candidates": [{"name": name} | some name in data.todo.actions]}} if {
	input.resource.type in {"user", "todo"}
}
