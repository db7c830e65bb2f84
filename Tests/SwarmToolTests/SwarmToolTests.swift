import Testing

@testable import SwarmTool

@Suite struct BytePathTests {
  @Test func everyByteStringSurvives() {
    var samples: [[UInt8]] = (0...255).map { [$0] }
    samples += [
      [], Array("data/ü.csv".utf8), [0xFF, 0x41, 0xC3], [0xC3, 0xA9, 0xC3],
      Array("\u{10FFFF}".utf8), Array("\u{10FF00}\u{10FEFF}".utf8), [0xED, 0xA0, 0x80],
      Array("e\u{301}".utf8), Array("\u{E9}".utf8),
    ]
    for sample in samples {
      #expect(BytePath(argument: BytePath.encode(sample)).bytes == sample)
    }
  }

  @Test func textStaysText() {
    #expect(BytePath.encode(Array("--name=Größe 😀".utf8)) == "--name=Größe 😀")
  }
}

@Suite struct ByteSizeTests {
  @Test(arguments: [
    ("0", 0), ("16384", 16_384), ("16K", 16_384), ("1m", 1 << 20), ("3G", 3 << 30), ("2T", 2 << 40),
  ])
  func sizes(text: String, bytes: UInt64) {
    #expect(ByteSize(argument: text)?.bytes == bytes)
  }

  @Test(arguments: ["", "K", "-1", "1.5M", "16KB", "١", "99999999999999999999", "16777216T", "1 K"])
  func notSizes(text: String) {
    #expect(ByteSize(argument: text) == nil)
  }
}

@Suite struct QuantityTests {
  @Test(arguments: [
    (0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1024, "1 KiB"), (1536, "1.5 KiB"),
    (1_073_741_824, "1 GiB"), (1_048_575, "1 MiB"), (UInt64.max, "16 EiB"),
  ])
  func bytes(count: UInt64, text: String) {
    #expect(Quantity.bytes(count) == text)
  }

  @Test(arguments: [(0.4, "0:00"), (59.6, "1:00"), (3600, "1:00:00"), (86_399, "23:59:59")])
  func durations(seconds: Double, text: String) {
    #expect(Quantity.duration(seconds: seconds) == text)
  }

  @Test func endlessDurationsAreBounded() {
    #expect(Quantity.duration(seconds: .infinity) == "100000:00:00")
    #expect(Quantity.duration(seconds: -1) == "0:00")
  }
}

@Suite struct JSONTests {
  @Test func membersKeepTheirOrderAndTextIsQuoted() {
    let value = JSON.object([
      ("z", .list([.number(1), .bool(true), .null])), ("a", .text("\"\\\n\u{1}é")),
      ("empty", .list([])), ("s", .signed(-5)),
    ])
    #expect(JSON.text("\u{9B}\u{7F}").rendered == "\"\\u009b\\u007f\"")
    #expect(
      value.rendered == """
        {
          "z": [
            1,
            true,
            null
          ],
          "a": "\\"\\\\\\n\\u0001é",
          "empty": [],
          "s": -5
        }
        """)
  }
}

@Suite struct ProgressLineTests {
  private static let figures = ["45 %", "1.35 GiB of 3 GiB", "660 MiB/s", "0:03 left"]

  @Test(arguments: 0...200)
  func neverWiderThanTheTerminal(width: Int) {
    let line = Progress.line(verb: "hashed", share: 0.45, figures: Self.figures, width: width)
    #expect(line.count < max(width, 1))
    #expect(line.isEmpty == (width < 2))
  }

  @Test(arguments: [
    (5, "45 %"), (20, "45 %  0:03 left"),
    (53, "hashed 45 %  1.35 GiB of 3 GiB  660 MiB/s  0:03 left"),
    (64, "hashed ████░░░░░░ 45 %  1.35 GiB of 3 GiB  660 MiB/s  0:03 left"),
  ])
  func whatFitsIsShown(width: Int, text: String) {
    let line = Progress.line(verb: "hashed", share: 0.45, figures: Self.figures, width: width)
    #expect(line == text)
  }
}

@Suite struct ArgumentURLTests {
  @Test(arguments: [
    "udp://a:1/announce", "https://[::1]/x?y=%20", "wss://x", "x+y://z", "http://\u{E9}/\u{6587}",
  ])
  func urls(text: String) {
    #expect(ArgumentURL(argument: text)?.text == text)
  }

  @Test(arguments: [
    "", "a", "://a", "http://", "1a://b", "h p://a", "http://a b", "http://a\u{1B}", "http://a\"b",
    "http://\u{A0}a", "http://\u{202E}a", BytePath.encode([0x61, 0x3A, 0x2F, 0x2F, 0xFF]),
  ])
  func notURLs(text: String) {
    #expect(ArgumentURL(argument: text) == nil)
  }
}

@Suite struct ParserMessageTests {
  @Test func argumentsAreSafeForATerminal() {
    let message = "Error: '" + BytePath.encode([0xFF, 0x1B, 0x61]) + "'\nUsage: swarm"
    #expect(SwarmTool.readable(message) == "Error: '\\xff\\x1ba'\nUsage: swarm")
  }
}
