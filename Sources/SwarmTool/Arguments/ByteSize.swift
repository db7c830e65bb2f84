import ArgumentParser

/// A size on the command line: bytes, or a number with K, M, G or T (1024 each).
struct ByteSize: ExpressibleByArgument, Hashable {
  let bytes: UInt64

  init?(argument: String) {
    var digits = argument[...]
    var unit: UInt64 = 1
    if let suffix = digits.last, let power = "KMGT".firstIndex(of: Character(suffix.uppercased())) {
      unit = 1 << (10 * UInt64("KMGT".distance(from: "KMGT".startIndex, to: power) + 1))
      digits.removeLast()
    }
    guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }),
      let number = UInt64(digits)
    else { return nil }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: unit)
    if overflow { return nil }
    self.bytes = bytes
  }
}
