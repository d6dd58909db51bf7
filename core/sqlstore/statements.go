package sqlstore

// statements are the SQL texts of a store, for one dialect and table.
type statements struct {
	load           string // a row that has not expired
	loadAny        string // a row, expired or not
	insert         string
	replace        string // a row of a version that has not expired
	replaceExpired string // a row of a version that has expired
	touch          string
	touchForever   string
	delete         string
	bySubject      string
	subjectKeys    string // see subjectKeysText
	list           string
	count          string
	purge          string
}

// compile returns the statements for a dialect and a table.
func compile(d Dialect, table string) statements {
	const (
		columns = "id, subject, data, expires, version"
		set     = "subject = ?, data = ?, expires = ?, version = ?"
		// The parameter is the time of the application, never that of the server.
		unexpired = "(expires IS NULL OR expires > ?)"
		inRange   = "id >= ? AND id < ?"
		ofVersion = "id = ? AND version = ?"

		sel    = "SELECT " + columns + " FROM {table} WHERE "
		update = "UPDATE {table} SET "
	)
	r := func(text string) string { return render(d, table, text) }
	return statements{
		load:           r(sel + "id = ? AND " + unexpired),
		loadAny:        r(sel + "id = ?"),
		insert:         r(insertText(d, columns)),
		replace:        r(update + set + " WHERE " + ofVersion + " AND " + unexpired),
		replaceExpired: r(update + set + " WHERE " + ofVersion + " AND expires <= ?"),
		touch: r(update + "expires = ?" +
			" WHERE " + ofVersion + " AND expires > ? AND expires < ?"),
		touchForever: r(update + "expires = NULL WHERE " + ofVersion + " AND expires > ?"),
		delete:       r("DELETE FROM {table} WHERE id = ?"),
		// The index of the subject may lack anonymous sessions. The database uses it only
		// if the query says that it needs none of them.
		bySubject:   r(sel + "subject = ? AND subject <> '' AND " + unexpired),
		subjectKeys: r(subjectKeysText(d)),
		list:        r(sel + inRange + " AND " + unexpired + " ORDER BY id LIMIT ?"),
		count:       r("SELECT COUNT(*) FROM {table} WHERE " + inRange + " AND " + unexpired),
		purge:       r(purgeText(d)),
	}
}

// insertText inserts a row. It affects no row if there is one with that id already.
func insertText(d Dialect, columns string) string {
	const values = " VALUES (?, ?, ?, ?, ?)"
	if d == MySQL {
		return "INSERT IGNORE INTO {table} (" + columns + ")" + values
	}
	return "INSERT INTO {table} (" + columns + ")" + values + " ON CONFLICT (id) DO NOTHING"
}

// subjectKeysText selects rows of a subject, expired or not, from a key on, without their data.
// Its parameters are the subject, the key and the number of rows.
//
// In PostgreSQL the rows of other subjects may follow. A condition that excludes them makes the
// planner, if it believes that the subject has few rows, read and sort all of them for each page.
func subjectKeysText(d Dialect) string {
	const sel = "SELECT id, subject, '', expires, version FROM {table} WHERE "
	if d == PostgreSQL {
		return sel + "(subject, id) > (?, ?) AND subject <> '' ORDER BY subject, id LIMIT ?"
	}
	return sel + "subject = ? AND subject <> '' AND id > ? ORDER BY id LIMIT ?"
}

// purgeText deletes a batch of expired rows. Its parameters are the time twice and the size
// of the batch.
//
// In PostgreSQL it skips rows that are locked by others, and the array keeps the planner
// from running the inner query more than once. MySQL cannot limit an inner query, but it
// can limit a deletion.
func purgeText(d Dialect) string {
	switch d {
	case PostgreSQL:
		return "DELETE FROM {table} WHERE expires <= ? AND id = ANY (ARRAY(" +
			"SELECT id FROM {table} WHERE expires <= ? ORDER BY expires LIMIT ?" +
			" FOR UPDATE SKIP LOCKED))"
	case MySQL:
		return "DELETE FROM {table} WHERE expires <= ? AND expires <= ?" +
			" ORDER BY expires, id LIMIT ?"
	default:
		return "DELETE FROM {table} WHERE expires <= ? AND id IN (" +
			"SELECT id FROM {table} WHERE expires <= ? ORDER BY expires LIMIT ?)"
	}
}
