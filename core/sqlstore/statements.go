package sqlstore

// statements are the store's SQL texts for one dialect and table.
type statements struct {
	load, look, insert, replace, revive, touch, touchForever, remove string
	bySubject, list, count, purge                                    string
}

// alive is the condition that a row has not expired. Its parameter is the application's time, never the server's.
const alive = "(expires IS NULL OR expires > ?)"

func compile(d Dialect, table string) statements {
	r := func(text string) string { return render(d, table, text) }
	columns := "id, subject, data, expires, version"
	set := "subject = ?, data = ?, expires = ?, version = ?"
	return statements{
		load:         r("SELECT " + columns + " FROM {table} WHERE id = ? AND " + alive),
		look:         r("SELECT " + columns + " FROM {table} WHERE id = ?"),
		insert:       r(insert(d, columns)),
		replace:      r("UPDATE {table} SET " + set + " WHERE id = ? AND version = ? AND " + alive),
		revive:       r("UPDATE {table} SET " + set + " WHERE id = ? AND version = ? AND expires <= ?"),
		touch:        r("UPDATE {table} SET expires = ? WHERE id = ? AND version = ? AND expires > ? AND expires < ?"),
		touchForever: r("UPDATE {table} SET expires = NULL WHERE id = ? AND version = ? AND expires > ?"),
		remove:       r("DELETE FROM {table} WHERE id = ?"),
		// Saying subject <> '' lets the database use an index without the anonymous sessions.
		bySubject: r("SELECT " + columns + " FROM {table} WHERE subject = ? AND subject <> '' AND " + alive),
		list:      r("SELECT " + columns + " FROM {table} WHERE id >= ? AND id < ? AND " + alive + " ORDER BY id LIMIT ?"),
		count:     r("SELECT COUNT(*) FROM {table} WHERE id >= ? AND id < ? AND " + alive),
		purge:     r(purge(d)),
	}
}

// insert creates a row, or affects none where there is one.
func insert(d Dialect, columns string) string {
	if d == MySQL {
		return "INSERT IGNORE INTO {table} (" + columns + ") VALUES (?, ?, ?, ?, ?)"
	}
	return "INSERT INTO {table} (" + columns + ") VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
}

// purge deletes a batch. In PostgreSQL it steps over rows that somebody is working on; the array keeps the planner from
// running the inner query more than once. MySQL cannot limit an inner query, but the deletion itself.
func purge(d Dialect) string {
	switch d {
	case PostgreSQL:
		return "DELETE FROM {table} WHERE expires <= ? AND id = ANY (ARRAY(" +
			"SELECT id FROM {table} WHERE expires <= ? ORDER BY expires LIMIT ? FOR UPDATE SKIP LOCKED))"
	case MySQL:
		return "DELETE FROM {table} WHERE expires <= ? AND expires <= ? ORDER BY expires, id LIMIT ?"
	default:
		return "DELETE FROM {table} WHERE expires <= ? AND id IN (SELECT id FROM {table} WHERE expires <= ? ORDER BY expires LIMIT ?)"
	}
}
