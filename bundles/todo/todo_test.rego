package todo_test

import data.todo

users := {
	"a": {"email": "a@x", "roles": ["admin"]},
	"e": {"email": "e@x", "roles": ["editor"]},
	"g": {"email": "g@x", "roles": ["evil_genius"]},
	"v": {"email": "v@x", "roles": ["viewer"]},
}

may(id, action) if {
	todo.decision.allow with input as {
		"version": 1, "token": {"present": false, "active": false}, "subject": {"type": "user", "id": id},
		"action": {"name": action}, "resource": {"type": "todo", "id": "1", "properties": {"ownerID": "e@x"}},
	}
		with data.todo.users as users
}

test_readers[id] if {
	some id in ["a", "e", "g", "v"]
	may(id, "can_read_todos")
}

test_readers_of_users if may("v", "can_read_user")

test_the_subject_of_a_token_is_its_holder if {
	todo.decision.allow with input as {
		"version": 1, "token": {"present": true, "active": true, "subject": {"id": "a"}},
		"subject": {"type": "access_token", "id": "[redacted]"},
		"action": {"name": "can_delete_todo"}, "resource": {"type": "todo", "id": "1"},
	}
		with data.todo.users as users
}

test_creators if {
	{id | some id, _ in users; may(id, "can_create_todo")} == {"a", "e"}
}

test_updaters if {
	{id | some id, _ in users; may(id, "can_update_todo")} == {"e", "g"}
}

test_deleters if {
	{id | some id, _ in users; may(id, "can_delete_todo")} == {"a", "e"}
}

test_unknown_users_may_nothing if {
	not may("x", "can_read_todos")
}

test_a_bad_token_is_not_the_subject_of_the_caller if {
	not todo.decision.allow with input as {
		"version": 1, "token": {"present": true, "active": false}, "subject": {"type": "user", "id": "a"},
		"action": {"name": "can_read_todos"}, "resource": {"type": "todo", "id": "1"},
	}
		with data.todo.users as users
}

searched(entity) := {"version": 1, "token": {"present": false, "active": false}, "subject": entity, "resource": entity}

test_a_candidate_is_named_for_each_user if {
	found := data.todo.search.subjects with input as searched({"type": "user", "id": ""})
	{c.id | some c in found.context.candidates} == {id | some id, _ in data.todo.users}
}

test_a_candidate_is_named_for_each_item if {
	found := data.todo.search.resources with input as searched({"type": "todo", "id": ""})
	{c.id | some c in found.context.candidates} == {id | some id, _ in data.todo.items}
}

test_a_candidate_is_named_for_each_action if {
	found := data.todo.search.actions with input as searched({"type": "todo", "id": "1"})
	{c.name | some c in found.context.candidates} == todo.actions
}

test_other_types_have_no_candidates if {
	not data.todo.search.subjects.allow with input as searched({"type": "device", "id": ""})
	not data.todo.search.resources.allow with input as searched({"type": "device", "id": ""})
	not data.todo.search.actions.allow with input as searched({"type": "device", "id": "1"})
}
