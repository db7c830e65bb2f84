import Metainfo

/// How QEMU is called.
struct MachineCommand {
  /// QEMU: a name that is looked for in `PATH`, or a path.
  var program: [UInt8]
  /// Whether the processor runs the guest itself.
  var hasKVM: Bool
  /// Memory of the guest, in MiB.
  var memory: UInt64
  /// Where the node offers the image, and as what.
  var socket: [UInt8]
  var export: String
  var format: MachineFiles.Format
  /// Files with the kernel and its first root; nil where the disk starts itself.
  var kernel: [UInt8]?
  var initrd: [UInt8]?
  /// What the kernel is told.
  var commandLine: [UInt8]
  /// What the user adds.
  var more: [[UInt8]]

  /// Seconds that QEMU waits for the node to come back.
  static let reconnectDelay: UInt64 = 60

  /// The program and its arguments. What the user adds comes last, so that it wins.
  var words: [[UInt8]] {
    var words = [program]
    func add(_ text: String...) { words += text.map { Array($0.utf8) } }
    add("-accel", hasKVM ? "kvm" : "tcg")
    if hasKVM { add("-cpu", "host") }
    add("-m", "\(memory)M")
    if kernel == nil {
      // Firmware and boot loader are seen on the serial line, too.
      add("-nographic")
    } else {
      // The firmware has nothing to say, and need not look for something to start in the network.
      add("-display", "none", "-vga", "none", "-serial", "mon:stdio")
      add("-global", "e1000.romfile=")
    }
    words += [Array("-drive".utf8), drive]
    // A disc cannot be written to, and a disk is written to in a file that ends with QEMU.
    // Only one is the first to be started from, and a kernel is that by itself.
    add(
      "-device",
      (format == .iso ? "ide-cd" : "virtio-blk-pci") + ",drive=disk"
        + (kernel == nil ? ",bootindex=0" : ""))
    if let kernel {
      words += [Array("-kernel".utf8), kernel, Array("-append".utf8), commandLine]
      if let initrd { words += [Array("-initrd".utf8), initrd] }
    }
    return words + more
  }

  /// The disk. In it a comma is doubled, as QEMU's options have it.
  private var drive: [UInt8] {
    let comma = UInt8(ascii: ",")
    let file = Array("json:\(node.line)".utf8).flatMap { $0 == comma ? [comma, comma] : [$0] }
    return Array("if=none,id=disk,".utf8)
      + Array((format == .iso ? "readonly=on" : "snapshot=on").utf8) + Array(",file=".utf8) + file
  }

  /// QEMU's description of it. The format is never guessed from the bytes, and the image never leads to
  /// another file: both would be up to whoever made it.
  private var node: JSON {
    let server: JSON = .object([
      ("type", .text("unix")), ("path", .text(String(decoding: socket, as: UTF8.self))),
    ])
    let nbd: JSON = .object([
      ("driver", .text("nbd")), ("server", server), ("export", .text(export)),
      ("reconnect-delay", .number(Self.reconnectDelay)),
    ])
    switch format {
    case .raw, .iso: return .object([("driver", .text("raw")), ("file", nbd)])
    case .qcow2:
      return .object([("driver", .text("qcow2")), ("backing", .null), ("file", nbd)])
    }
  }
}

/// The beginning of a qcow2 image, as far as it matters whom we let QEMU open.
enum QCOW2Header {
  /// Bytes that are looked at: up to the end of the incompatible features.
  static let length = 80

  /// Why QEMU must not be given the image; nil if it may. An image can name another file that is read
  /// through it, and its maker would so choose which of ours the guest gets.
  static func fault(in header: [UInt8]) -> String? {
    func number(at offset: Int, bytes: Int) -> UInt64 {
      header[offset..<(offset + bytes)].reduce(0) { $0 << 8 | UInt64($1) }
    }
    guard header.count >= length, header.starts(with: [0x51, 0x46, 0x49, 0xFB]) else {
      return "it is no qcow2 image"
    }
    if number(at: 8, bytes: 8) != 0 { return "it needs a backing file" }
    // Bit 2: the data is in another file.
    if number(at: 4, bytes: 4) >= 3, number(at: 72, bytes: 8) & 4 != 0 {
      return "its data is in another file"
    }
    return nil
  }
}
