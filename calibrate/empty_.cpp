namespace calibrate {}
