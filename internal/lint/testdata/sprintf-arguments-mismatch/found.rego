decision := {"allow": false, "reasons": [sprintf("100 %% %d of %5.2f", [1, 2, 3])]}
