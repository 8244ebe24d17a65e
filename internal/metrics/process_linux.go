package metrics

import "github.com/prometheus/procfs"

// process adds what Linux says of the process. What cannot be read is left out.
func (p *page) process() {
	self, err := procfs.Self()
	if err != nil {
		return
	}
	counter := func(name, help string, x float64) {
		p.head(name, help, "counter")
		p.sample(name, x)
	}
	if stat, err := self.Stat(); err == nil {
		counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", stat.CPUTime())
		p.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", float64(stat.VirtualMemory()))
		p.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", float64(stat.ResidentMemory()))
		if start, err := stat.StartTime(); err == nil {
			p.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", start)
		}
	}
	if n, err := self.FileDescriptorsLen(); err == nil {
		p.gauge("process_open_fds", "Number of open file descriptors.", float64(n))
	}
	if limits, err := self.Limits(); err == nil {
		p.gauge("process_max_fds", "Maximum number of open file descriptors.", float64(limits.OpenFiles))
		p.gauge("process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.", float64(limits.AddressSpace))
	}
	if net, err := self.Netstat(); err == nil && net.InOctets != nil && net.OutOctets != nil {
		counter("process_network_receive_bytes_total", "Number of bytes received by the process over the network.", *net.InOctets)
		counter("process_network_transmit_bytes_total", "Number of bytes sent by the process over the network.", *net.OutOctets)
	}
}
