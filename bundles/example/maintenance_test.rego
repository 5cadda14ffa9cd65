package example.maintenance_test

import data.example.maintenance

window := {"tenants": ["initech"], "paths": ["/orders/archive"]}

frozen(method, path, tenant) if {
	maintenance.frozen with data.example.maintenance.tenants as window.tenants
		with data.example.maintenance.paths as window.paths
		with input as {"request": {"method": method, "path": path}, "token": {"tenant": tenant}}
}

test_writes_of_a_tenant if frozen("POST", "/orders", "initech")

test_writes_below_a_path if {
	frozen("DELETE", "/orders/archive", "acme")
	frozen("DELETE", "/orders/archive/1", "acme")
}

test_neighbours_are_not_frozen if {
	not frozen("DELETE", "/orders/archived", "acme")
	not frozen("POST", "/orders", "acme")
}

test_reads_are_never_frozen[method] if {
	some method in ["GET", "HEAD", "OPTIONS"]
	not frozen(method, "/orders/archive", "initech")
}

test_shipped_window_names_whole_segments if {
	every path in data.example.maintenance.paths {
		startswith(path, "/")
		not endswith(path, "/")
	}
}
