package metrics

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"
)

// memory are the gauges and counters of Go's memory, by the names that Prometheus' client
// gives them.
var memory = []struct {
	name, help string
	of         func(*runtime.MemStats) uint64
}{
	{"alloc_bytes", "Number of bytes allocated in heap and currently in use.", func(m *runtime.MemStats) uint64 { return m.Alloc }},
	{"alloc_bytes_total", "Total number of bytes allocated in heap until now, even if released already.", func(m *runtime.MemStats) uint64 { return m.TotalAlloc }},
	{"sys_bytes", "Number of bytes obtained from system.", func(m *runtime.MemStats) uint64 { return m.Sys }},
	{"mallocs_total", "Total number of heap objects allocated, both live and gc-ed.", func(m *runtime.MemStats) uint64 { return m.Mallocs }},
	{"frees_total", "Total number of heap objects freed.", func(m *runtime.MemStats) uint64 { return m.Frees }},
	{"heap_alloc_bytes", "Number of heap bytes allocated and currently in use.", func(m *runtime.MemStats) uint64 { return m.HeapAlloc }},
	{"heap_sys_bytes", "Number of heap bytes obtained from system.", func(m *runtime.MemStats) uint64 { return m.HeapSys }},
	{"heap_idle_bytes", "Number of heap bytes waiting to be used.", func(m *runtime.MemStats) uint64 { return m.HeapIdle }},
	{"heap_inuse_bytes", "Number of heap bytes that are in use.", func(m *runtime.MemStats) uint64 { return m.HeapInuse }},
	{"heap_released_bytes", "Number of heap bytes released to the system.", func(m *runtime.MemStats) uint64 { return m.HeapReleased }},
	{"heap_objects", "Number of currently allocated objects.", func(m *runtime.MemStats) uint64 { return m.HeapObjects }},
	{"stack_inuse_bytes", "Number of bytes in use by stacks.", func(m *runtime.MemStats) uint64 { return m.StackInuse }},
	{"stack_sys_bytes", "Number of bytes obtained from system for stacks.", func(m *runtime.MemStats) uint64 { return m.StackSys }},
	{"mspan_inuse_bytes", "Number of bytes in use by mspan structures.", func(m *runtime.MemStats) uint64 { return m.MSpanInuse }},
	{"mspan_sys_bytes", "Number of bytes obtained from system for mspan structures.", func(m *runtime.MemStats) uint64 { return m.MSpanSys }},
	{"mcache_inuse_bytes", "Number of bytes in use by mcache structures.", func(m *runtime.MemStats) uint64 { return m.MCacheInuse }},
	{"mcache_sys_bytes", "Number of bytes obtained from system for mcache structures.", func(m *runtime.MemStats) uint64 { return m.MCacheSys }},
	{"buck_hash_sys_bytes", "Number of bytes used by the profiling bucket hash table.", func(m *runtime.MemStats) uint64 { return m.BuckHashSys }},
	{"gc_sys_bytes", "Number of bytes used for garbage collection system metadata.", func(m *runtime.MemStats) uint64 { return m.GCSys }},
	{"other_sys_bytes", "Number of bytes used for other system allocations.", func(m *runtime.MemStats) uint64 { return m.OtherSys }},
	{"next_gc_bytes", "Number of heap bytes when next garbage collection will take place.", func(m *runtime.MemStats) uint64 { return m.NextGC }},
}

// runtime adds what Go says of itself.
func (p *page) runtime() {
	p.head("go_info", "Information about the Go environment.", "gauge")
	p.sample("go_info", 1, "version", runtime.Version())
	p.gauge("go_goroutines", "Number of goroutines that currently exist.", float64(runtime.NumGoroutine()))
	threads, _ := runtime.ThreadCreateProfile(nil)
	p.gauge("go_threads", "Number of OS threads created.", float64(threads))

	settings := []metrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"}, {Name: "/sched/gomaxprocs:threads"}}
	metrics.Read(settings)
	p.gauge("go_gc_gogc_percent", "Heap size target percentage (GOGC).", float64(settings[0].Value.Uint64()))
	p.gauge("go_gc_gomemlimit_bytes", "Memory limit of the Go runtime (GOMEMLIMIT).", float64(settings[1].Value.Uint64()))
	p.gauge("go_sched_gomaxprocs_threads", "Number of threads that execute Go code at the same time (GOMAXPROCS).", float64(settings[2].Value.Uint64()))

	pauses := debug.GCStats{PauseQuantiles: make([]time.Duration, 5)}
	debug.ReadGCStats(&pauses)
	const pause = "go_gc_duration_seconds"
	p.head(pause, "A summary of the pauses in garbage collection cycles.", "summary")
	for i, d := range pauses.PauseQuantiles {
		p.sample(pause, d.Seconds(), "quantile", number(float64(i)/4))
	}
	p.sample(pause+"_sum", pauses.PauseTotal.Seconds())
	p.sample(pause+"_count", float64(pauses.NumGC))

	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	for _, m := range memory {
		kind := "gauge"
		if strings.HasSuffix(m.name, "_total") {
			kind = "counter"
		}
		p.head("go_memstats_"+m.name, m.help, kind)
		p.sample("go_memstats_"+m.name, float64(m.of(&stats)))
	}
	p.gauge("go_memstats_last_gc_time_seconds", "Number of seconds since 1970 of last garbage collection.", float64(stats.LastGC)/1e9)
}
