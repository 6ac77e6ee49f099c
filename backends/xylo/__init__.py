"""SynSense Xylo: Audio 2 (SYNS61201), Audio 3 (SYNS65302) and IMU (SYNS63300)."""
