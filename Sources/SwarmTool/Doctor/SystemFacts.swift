import Glibc
import Metainfo
import SwarmNode

/// What the system says of clock, disk and bounds.
enum SystemFacts {
  /// The clock, beside what was written below a folder.
  static func clock(beside folder: [UInt8]) -> DoctorFacts.Clock {
    var clock = DoctorFacts.Clock(now: Int64(time(nil)))
    let names = ["", "/datasets", "/keys", "/sources", "/dht.nodes"]
    clock.newestWrite = names.compactMap { name in
      var status = stat()
      return stat(path(folder + Array(name.utf8)), &status) == 0
        ? Int64(status.st_mtim.tv_sec) : nil
    }.max()
    // What systemd-timesyncd leaves in its folder once it has asked somebody; others leave nothing that
    // everybody may read.
    if access("/run/systemd/timesync", F_OK) == 0 {
      clock.isSynchronized = access("/run/systemd/timesync/synchronized", F_OK) == 0
    }
    return clock
  }

  /// Where a folder is that is there; `fault` says why it is not.
  static func disk(at folder: [UInt8], fault: String?) -> DoctorFacts.Disk {
    var disk = DoctorFacts.Disk(path: printable(folder), fault: fault)
    if disk.fault == nil, access(path(folder), R_OK | W_OK | X_OK) != 0 {
      disk.fault = "\(disk.path): \(String(cString: strerror(errno)))"
    }
    var space = statvfs()
    if statvfs(path(folder), &space) == 0 {
      disk.free = UInt64(space.f_bavail) &* UInt64(space.f_frsize)
      // File systems that make room for files as they come say 0 of 0.
      disk.freeFiles = space.f_files == 0 ? nil : UInt64(space.f_favail)
    }
    return disk
  }

  /// What the system lets one program have.
  static var limits: DoctorFacts.Limits {
    var limits = DoctorFacts.Limits()
    var bound = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &bound) == 0,
      bound.rlim_max != rlim_t.max
    {
      limits.descriptors = UInt64(bound.rlim_max)
    }
    limits.memory = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
      .compactMap { number(in: $0) }
      // The first version of cgroups says "none" by a number that no machine has.
      .filter { $0 < 1 << 50 }.min()
    return limits
  }

  private static func number(in file: String) -> UInt64? {
    let descriptor = open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor, &bytes, bytes.count)
    guard count > 0 else { return nil }
    return UInt64(String(decoding: bytes[..<count].filter { $0 > 0x20 }, as: UTF8.self))
  }

  private static func path(_ bytes: [UInt8]) -> [CChar] {
    bytes.map { CChar(bitPattern: $0) } + [0]
  }
}
