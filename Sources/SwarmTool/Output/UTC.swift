import Glibc

/// Points in time for people.
enum UTC {
  /// "2026-11-21 02:38:00 UTC", or the bare number where no calendar reaches.
  static func text(of seconds: Int64) -> String {
    var time = time_t(seconds)
    var parts = tm()
    guard gmtime_r(&time, &parts) != nil else { return "\(seconds) s since 1970" }
    func two(_ number: CInt) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let year = Int(parts.tm_year) + 1900
    return "\(year)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
      + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) UTC"
  }
}
