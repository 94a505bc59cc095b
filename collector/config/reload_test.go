package config_test

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/config"
)

var (
	errLoad  = errors.New("config.yml:3: targets: must be a list")
	errApply = errors.New("cannot apply")
)

// Every outcome is kept, the time of the last success with it, and the log says
// what follows from a failure.
func TestReloader(t *testing.T) {
	const (
		loaded    = "level=info msg=\"Configuration loaded\" targets=1\n"
		notLoaded = "level=error msg=\"Configuration not loaded, the previous one stays in use\" err="
	)
	synctest.Test(t, func(t *testing.T) {
		var (
			logged           bytes.Buffer
			loadErr, applErr error
			applied          []*config.Config
			c                = parse(t, good)
		)
		r := config.NewReloader(
			func() (*config.Config, error) {
				if loadErr != nil {
					return nil, loadErr
				}
				return c, nil
			},
			func(c *config.Config) error {
				applied = append(applied, c)
				return applErr
			},
			log.NewLogfmtLogger(&logged),
		)
		start := time.Now()
		if r.Last() != (config.Outcome{}) {
			t.Errorf("outcome before the first load is %+v", r.Last())
		}
		for _, step := range []struct {
			name        string
			load, apply error
			ok          bool
			at          time.Duration // since the start; negative if never
			applied     int
			err         error
			logged      string
		}{
			{"first load fails", errLoad, nil, false, -1, 0, errLoad, ""},
			{"first apply fails", nil, errApply, false, -1, 1, errApply, ""},
			{"first success", nil, nil, true, 3 * time.Minute, 2, nil, loaded},
			{"load fails", errLoad, nil, false, 3 * time.Minute, 2, errLoad, notLoaded + `"config.yml:3: targets: must be a list"` + "\n"},
			{"apply fails", nil, errApply, false, 3 * time.Minute, 3, errApply, notLoaded + "\"cannot apply\"\n"},
			{"success", nil, nil, true, 6 * time.Minute, 4, nil, loaded},
		} {
			time.Sleep(time.Minute)
			logged.Reset()
			loadErr, applErr = step.load, step.apply
			if err := r.Reload(); !errors.Is(err, step.err) || (err == nil) != step.ok {
				t.Errorf("%s: error is %v, want %v", step.name, err, step.err)
			}
			want := config.Outcome{OK: step.ok, Err: step.err}
			if step.at >= 0 {
				want.At = start.Add(step.at)
			}
			if got := r.Last(); got != want {
				t.Errorf("%s: outcome is %+v, want %+v", step.name, got, want)
			}
			if len(applied) != step.applied {
				t.Errorf("%s: applied %d times, want %d", step.name, len(applied), step.applied)
			}
			if diff := cmp.Diff(step.logged, logged.String()); diff != "" {
				t.Errorf("%s: log %s", step.name, diff)
			}
		}
		for _, got := range applied {
			if got != c {
				t.Error("applied another configuration than the loaded one")
			}
		}
	})
}

// Reloads run one after the other. Readers of the outcome do not wait for them.
func TestReloadsRunOneAtATime(t *testing.T) {
	const reloads = 5
	var running atomic.Int32
	c, entered, leave := parse(t, good), make(chan struct{}), make(chan struct{})
	r := config.NewReloader(
		func() (*config.Config, error) {
			if running.Add(1) > 1 {
				t.Error("two reloads at the same time")
			}
			return c, nil
		},
		func(*config.Config) error {
			entered <- struct{}{}
			<-leave
			running.Add(-1)
			return nil
		},
		log.NewNopLogger(),
	)
	var all sync.WaitGroup
	for range reloads {
		all.Go(func() {
			if err := r.Reload(); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range reloads {
		<-entered
		if want := i > 0; r.Last().OK != want {
			t.Errorf("during reload %d, the last one succeeded: %t, want %t", i, !want, want)
		}
		leave <- struct{}{}
	}
	all.Wait()
	if !r.Last().OK {
		t.Errorf("outcome is %+v", r.Last())
	}
}
