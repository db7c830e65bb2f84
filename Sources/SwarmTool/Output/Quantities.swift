/// Quantities for people.
enum Quantity {
  /// "812 bytes", "1.5 KiB", "37 MiB": three significant digits at the most.
  static func bytes(_ count: UInt64) -> String {
    if count < 1024 { return count == 1 ? "1 byte" : "\(count) bytes" }
    var value = Double(count) / 1024
    var units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][...]
    while value >= 1000, units.count > 1 {
      value /= 1024
      units.removeFirst()
    }
    return "\(threeDigits(value)) \(units[units.startIndex])"
  }

  /// "1.5 GiB (1610612736 bytes)": the rounded and the exact size.
  static func exactBytes(_ count: UInt64) -> String {
    count < 1024 ? bytes(count) : "\(bytes(count)) (\(count) bytes)"
  }

  /// "0:05", "12:30", "3:00:00".
  static func duration(seconds: Double) -> String {
    let total = Int(min(max(seconds, 0), 360_000_000).rounded())
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let (hours, minutes, rest) = (total / 3600, total / 60 % 60, total % 60)
    return hours > 0 ? "\(hours):\(two(minutes)):\(two(rest))" : "\(minutes):\(two(rest))"
  }

  /// "12 s", "5 min", "3 h", "20 days": the largest unit that fits.
  static func age(seconds: UInt64) -> String {
    if seconds < 60 { return "\(seconds) s" }
    if seconds < 3_600 { return "\(seconds / 60) min" }
    if seconds < 172_800 { return "\(seconds / 3_600) h" }
    return "\(seconds / 86_400) days"
  }

  /// "1 file", "12 files".
  static func count(_ number: Int, _ noun: String) -> String {
    "\(number) \(noun)\(number == 1 ? "" : "s")"
  }

  private static func threeDigits(_ value: Double) -> String {
    if value >= 100 { return String(Int(value.rounded())) }
    let scaled = value >= 10 ? (value * 10).rounded() / 10 : (value * 100).rounded() / 100
    let text = String(scaled)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}
