# METADATA
# title: To-do lists
# description: |
#   Who may do what with to-do lists. The questions are those of the AuthZEN API: a subject, an action, a resource. The
#   subject is a user of data.todo.users, or an access token of one.
package todo

# METADATA
# title: Decision
# description: The answer to an evaluation.
# entrypoint: true
default decision := {"allow": false}

decision := {"allow": true} if permitted[input.action.name]

# METADATA
# title: Actions
# description: The actions that this policy knows, for the search for actions.
actions := {"can_read_user", "can_read_todos", "can_create_todo", "can_update_todo", "can_delete_todo"}

permitted contains "can_read_user" if user

permitted contains "can_read_todos" if user

permitted contains "can_create_todo" if has_role("admin")

permitted contains "can_create_todo" if has_role("editor")

permitted contains "can_update_todo" if has_role("evil_genius")

permitted contains "can_update_todo" if own_as_editor

permitted contains "can_delete_todo" if has_role("admin")

permitted contains "can_delete_todo" if own_as_editor

own_as_editor if {
	has_role("editor")
	owner == user.email
}

has_role(name) if name in user.roles

user := data.todo.users[user_id]

# The holder of a token is its subject, whatever the caller says.
user_id := input.token.subject.id if input.token.active

user_id := input.subject.id if {
	input.subject.type == "user"
	not input.token.present
}

# The owner that the caller names, or that of the item.
owner := object.get(
	input.resource, ["properties", "ownerID"],
	object.get(data.todo.items, [input.resource.id, "ownerID"], null),
)
