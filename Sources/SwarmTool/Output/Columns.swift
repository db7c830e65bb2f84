/// Columns of a terminal that text takes: letters of East Asian scripts and pictures take two.
extension String {
  var columns: Int { reduce(0) { $0 + $1.columns } }

  /// As much of the beginning as has room.
  func prefix(columns most: Int) -> String {
    var room = most
    return String(
      prefix {
        room -= $0.columns
        return room >= 0
      })
  }
}

extension Substring {
  var columns: Int { reduce(0) { $0 + $1.columns } }
}

extension Character {
  /// By the first scalar: others are combined with it. Unicode, East Asian Width.
  fileprivate var columns: Int {
    guard let first = unicodeScalars.first?.value, first >= 0x1100 else { return 1 }
    let isWide = Self.wide.contains { $0.contains(first) }
    // A sign that is shown as a picture, such as a heart.
    let isPicture = unicodeScalars.contains { $0.value == 0xFE0F }
    return isWide || isPicture ? 2 : 1
  }

  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x231A...0x231B, 0x23E9...0x23EC, 0x25FD...0x25FE, 0x2614...0x2615,
    0x2648...0x2653, 0x26A1...0x26A1, 0x2705...0x2705, 0x2728...0x2728, 0x274C...0x274C,
    0x2753...0x2757, 0x2B50...0x2B50, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97C,
    0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
    0x16FE0...0x18D08, 0x1B000...0x1B2FB, 0x1F004...0x1F004, 0x1F0CF...0x1F0CF,
    0x1F18E...0x1F18E, 0x1F191...0x1F19A, 0x1F1E6...0x1F202, 0x1F210...0x1F23B,
    0x1F240...0x1F265, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F7E0...0x1F7EB,
    0x1F900...0x1F9FF, 0x1FA70...0x1FAFF, 0x20000...0x3FFFD,
  ]
}
