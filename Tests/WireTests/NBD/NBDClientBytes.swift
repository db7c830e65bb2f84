/// What a client of NBD sends, and what a server may send, written out from the protocol's document
/// without a look at the code that is tested.
enum NBDBytes {
  static let greeting = hexBytes("4e42444d41474943 49484156454f5054 0003")

  static func clientFlags(_ flags: UInt32 = 3) -> [UInt8] { big(flags) }

  static func option(_ number: UInt32, _ data: [UInt8] = []) -> [UInt8] {
    hexBytes("49484156454f5054") + big(number) + big(UInt32(data.count)) + data
  }

  /// `NBD_OPT_INFO` (6) or `NBD_OPT_GO` (7).
  static func information(_ number: UInt32, _ name: String, _ wanted: [UInt16] = []) -> [UInt8] {
    option(number, string(name) + big(UInt16(wanted.count)) + wanted.flatMap { big($0) })
  }

  /// `NBD_OPT_LIST_META_CONTEXT` (9) or `NBD_OPT_SET_META_CONTEXT` (10).
  static func contexts(_ number: UInt32, _ name: String, _ queries: [String]) -> [UInt8] {
    option(number, string(name) + big(UInt32(queries.count)) + queries.flatMap { string($0) })
  }

  /// With 28 bytes of head.
  static func request(
    _ type: UInt16, flags: UInt16 = 0, cookie: UInt64, _ offset: UInt64, _ length: UInt32,
    data: [UInt8] = []
  ) -> [UInt8] {
    hexBytes("25609513") + big(flags) + big(type) + big(cookie) + big(offset) + big(length) + data
  }

  /// With 32 bytes of head.
  static func extendedRequest(
    _ type: UInt16, flags: UInt16 = 0, cookie: UInt64, _ offset: UInt64, _ length: UInt64,
    data: [UInt8] = []
  ) -> [UInt8] {
    hexBytes("21e41c71") + big(flags) + big(type) + big(cookie) + big(offset) + big(length) + data
  }

  static func optionReply(_ option: UInt32, _ type: UInt32, _ data: [UInt8] = []) -> [UInt8] {
    hexBytes("0003e889045565a9") + big(option) + big(type) + big(UInt32(data.count)) + data
  }

  static func optionError(_ option: UInt32, _ type: UInt32, _ text: String) -> [UInt8] {
    optionReply(option, 0x8000_0000 + type, Array(text.utf8))
  }

  static func simple(_ cookie: UInt64, error: UInt32 = 0) -> [UInt8] {
    hexBytes("67446698") + big(error) + big(cookie)
  }

  static func chunk(
    _ type: UInt16, flags: UInt16 = 1, _ cookie: UInt64, _ payload: [UInt8] = []
  ) -> [UInt8] {
    hexBytes("668e33ef") + big(flags) + big(type) + big(cookie) + big(UInt32(payload.count))
      + payload
  }

  static func extendedChunk(
    _ type: UInt16, flags: UInt16 = 1, _ cookie: UInt64, _ offset: UInt64, _ payload: [UInt8] = []
  ) -> [UInt8] {
    hexBytes("6e8a278c") + big(flags) + big(type) + big(cookie) + big(offset)
      + big(UInt64(payload.count)) + payload
  }

  static func errorPayload(_ code: UInt32, _ text: String) -> [UInt8] {
    big(code) + big(UInt16(text.utf8.count)) + Array(text.utf8)
  }

  static func string(_ text: String) -> [UInt8] { big(UInt32(text.utf8.count)) + Array(text.utf8) }

  static func big<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    (0..<Number.bitWidth / 8).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
  }

  static func hexBytes(_ digits: String) -> [UInt8] {
    let digits = digits.filter { $0 != " " }
    return stride(from: 0, to: digits.count, by: 2).map { place in
      let start = digits.index(digits.startIndex, offsetBy: place)
      return UInt8(digits[start..<digits.index(start, offsetBy: 2)], radix: 16) ?? 0
    }
  }
}
