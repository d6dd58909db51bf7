package testserver

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestFilesStopGrowing writes beyond the limit, which fails and leaves the server alive, and
// again without one.
func TestFilesStopGrowing(t *testing.T) {
	t.Parallel()
	const size = 40 << 20
	writes := map[string]string{
		"postgres": "CREATE TABLE ballast AS SELECT repeat(i::text, 200) FROM generate_series(1, 100000) AS i",
		"mariadb":  "CREATE TABLE mysql.ballast ENGINE=InnoDB SELECT repeat(seq, 200) AS b FROM mysql.numbers",
	}
	for name, spec := range map[string]Spec[*Server]{"postgres": Postgres{}, "mariadb": MariaDB{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Start(t, spec)
			if name == "mariadb" {
				s.mustExecute(t, "CREATE TABLE mysql.numbers ENGINE=MyISAM SELECT seq FROM (WITH RECURSIVE n AS (SELECT 1 AS seq UNION ALL "+
					"SELECT seq + 1 FROM n WHERE seq < 999) SELECT a.seq * 1000 + b.seq AS seq FROM n a, n b WHERE a.seq < 100) AS x")
			}
			s.LimitFiles(t, size)
			for _, pid := range processTree(s.proc.pid()) {
				limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
				if err != nil || !strings.Contains(string(limits), fmt.Sprintf("Max file size             %d ", size)) {
					t.Errorf("process %d: %v\n%s", pid, err, limits)
				}
			}
			if err := s.executeSQL(t.Context(), writes[name]); err == nil {
				t.Error("a table outgrew the limit")
			}
			mustPing(t, s)
			s.LimitFiles(t, 0)
			s.mustExecute(t, writes[name])
		})
	}
}
