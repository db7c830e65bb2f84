import Wire

/// What the program prints for other programs.
typealias JSON = Wire.JSON
